#include "wafer/fault_map.hpp"

#include "engine/csv.hpp"
#include "wafer/fault_checker.hpp"

namespace ouro::wafer {

Faults read_fault_map(const std::filesystem::path& file, const Geometry& geometry, Coordinate host) {
  engine::CsvReader rows{engine::open_text(file), file.string()};
  const FaultColumns columns{rows, geometry};
  FaultChecker checker{geometry, host};
  Faults faults{geometry};
  while (rows.next()) {
    const auto fault = columns.read();
    checker.take(fault, rows.where());
    faults.add(fault);
  }
  return faults;
}

}  // namespace ouro::wafer
