# shellcheck shell=bash disable=SC2034,SC2154  # for other scripts, and from them
# What differs between sites: the one file to adapt. All batch scripts here read it, with the directory of the scripts
# in $jobs. Account, partition and the like are best in the environment: SBATCH_ACCOUNT, SBATCH_PARTITION.

# Modules that the program was built with:
# module load gcc openmpi hdf5

# The program. It must be at the same place on all nodes.
ouroboros=${OUROBOROS:-$jobs/../build/release/ouroboros}

# How ranks are started. Options such as the network to use go here: mpirun takes hosts and ranks from SLURM.
launcher=(mpirun)
