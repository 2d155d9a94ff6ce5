# shellcheck shell=bash disable=SC2034,SC2154  # for the scripts, and from them
# What the batch scripts here have in common. They set $jobs, the directory of the scripts.

fail() {  # fail <message>
  echo "$(basename "${BASH_SOURCE[-1]}"): $1" >&2
  exit 2
}

need_file() {  # need_file <file> <how the script is called>
  [[ -n $1 ]] || fail "no file is named; call: $2"
  [[ -r $1 && ! -d $1 ]] || fail "there is no file '$1' in $PWD; call: $2"
}

# shellcheck source=jobs/site.sh
source "$jobs/site.sh"

[[ -x $ouroboros ]] ||
  fail "the program $ouroboros is not there; build it by tools/quickstart, or name it in $jobs/site.sh"
command -v "${launcher[0]}" >/dev/null ||
  fail "${launcher[0]} is not in PATH; load its module in $jobs/site.sh"

on_all_ranks=("${launcher[@]}" -n "${SLURM_NTASKS:-1}" "$ouroboros")  # a command follows
