#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "tools/noc_study.hpp"

namespace ouro::tools {

/// Prints the findings of studies for people: a line each of open-loop ones, below a head, else three.
class NocTable {
 public:
  NocTable(std::ostream& out, bool open_loop);

  void print(const NocFindings& study);
  /// What all together took of the simulator.
  /// @param machine  what it ran on, such as " on 2 ranks"
  void print_speed(const std::vector<NocFindings>& findings, const std::string& machine);

 private:
  std::ostream& out_;
  bool open_loop_;
};

}  // namespace ouro::tools
