#pragma once

#include <stdexcept>
#include <string>

namespace ouro::engine {

/// What the user can mend: one sentence that says where, what, and what would be right. The program ends
/// with exit code 2.
class InputError : public std::runtime_error {
 public:
  /// @param where  file and line, or key, or option; may be empty where `what` names it
  /// @param what   what is wrong there, lower case, no full stop
  /// @param right  what would be right; may be empty
  InputError(const std::string& where, const std::string& what, const std::string& right = {})
      : std::runtime_error{(where.empty() ? "" : where + ": ") + what + (right.empty() ? "" : "; " + right)} {
  }
};

/// A contract of this program that did not hold: our error. The program ends with exit code 3.
class ContractError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// An event below its receiver's clock, or a send below the promised lookahead.
class CausalityError : public ContractError {
 public:
  using ContractError::ContractError;
};

}  // namespace ouro::engine
