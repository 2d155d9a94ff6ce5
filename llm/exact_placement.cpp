#include "llm/exact_placement.hpp"

#include <coin/Cbc_C_Interface.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

/// Roles with the same flows.
struct RoleClass {
  std::vector<Role> roles;
  double size() const { return static_cast<double>(roles.size()); }
};

/// The graph between classes.
struct ClassGraph {
  std::vector<RoleClass> classes;                                     // the fixed roles last, one each
  std::map<std::pair<std::size_t, std::size_t>, std::int64_t> flows;  // parts between any two of their roles
};

ClassGraph find_classes(const FlowGraph& graph) {
  std::vector<std::vector<std::pair<Role, std::int64_t>>> neighbours(graph.roles);
  for (const auto& flow : graph.flows) {
    neighbours[flow.from].emplace_back(flow.to, flow.parts);
    neighbours[flow.to].emplace_back(flow.from, flow.parts);
  }
  ClassGraph found;
  std::vector<std::size_t> class_of(graph.roles);
  std::map<std::vector<std::pair<Role, std::int64_t>>, std::size_t> known;
  for (Role role = 0; role < graph.roles; ++role) {
    std::sort(neighbours[role].begin(), neighbours[role].end());
    const auto next = found.classes.size();
    const bool fixed = role >= graph.movable();
    class_of[role] = fixed ? next : known.try_emplace(neighbours[role], next).first->second;
    if (class_of[role] == next) found.classes.emplace_back();
    found.classes[class_of[role]].roles.push_back(role);
  }
  for (const auto& flow : graph.flows) {  // of one pair of roles; all pairs of the classes have the same
    const auto [one, other] = std::minmax(class_of[flow.from], class_of[flow.to]);
    if (found.classes[class_of[flow.from]].roles.front() == flow.from &&
        found.classes[class_of[flow.to]].roles.front() == flow.to)
      found.flows[{one, other}] += flow.parts;
  }
  return found;
}

/// A linear program under construction. Columns must be there before rows use them.
class Program {
 public:
  int add_column(double most, double cost, bool is_binary) {
    Cbc_addCol(model_.get(), "", 0, most, cost, is_binary ? 1 : 0, 0, nullptr, nullptr);
    return columns_++;
  }
  /// @param sense  'E' equal, 'L' at most
  void add_row(const std::vector<int>& columns, const std::vector<double>& factors, char sense,
               double right) {
    Cbc_addRow(model_.get(), "", static_cast<int>(columns.size()), columns.data(), factors.data(), sense,
               right);
  }
  Cbc_Model* get() { return model_.get(); }

 private:
  std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> model_{Cbc_newModel(), &Cbc_deleteModel};
  int columns_ = 0;
};

class PlacementProgram {
 public:
  PlacementProgram(const FlowGraph& graph, const MappingCost& cost, std::span<const wafer::CoreId> sites,
                   const Placement& start)
      : cost_{cost},
        sites_{sites},
        start_{start},
        found_{find_classes(graph)},
        movable_{found_.classes.size() - graph.fixed} {
    add_places();
    for (const auto& [ends, parts] : found_.flows) {
      if (ends.second < movable_) add_flow(ends.first, ends.second, parts);
    }
  }

  ExactPlacement solve(const FlowGraph& graph, double seconds) {
    auto* model = program_.get();
    Cbc_setLogLevel(model, 0);
    Cbc_setMaximumSeconds(model, seconds);
    Cbc_solve(model);
    ExactPlacement exact{start_, {}, Cbc_getBestPossibleObjValue(model), false};
    if (Cbc_numberSavedSolutions(model) > 0 || Cbc_isProvenOptimal(model) != 0) {
      take_solution(Cbc_getColSolution(model), exact.placement);
      exact.proven = Cbc_isProvenOptimal(model) != 0;
    }
    exact.objective = evaluate(graph, cost_, exact.placement);
    return exact;
  }

 private:
  /// Costs of flows to fixed roles are costs of places.
  double cost_of_place(std::size_t number, wafer::CoreId site) const {
    double sum = 0;
    for (const auto& [ends, parts] : found_.flows) {
      if (ends.first != number || ends.second < movable_) continue;
      const auto fixed = found_.classes[ends.second].roles.front();
      sum += static_cast<double>(parts * cost_.between(site, start_[fixed]));
    }
    return sum;
  }

  void add_places() {
    const std::vector<double> ones(std::max(sites_.size(), movable_), 1);
    place_.resize(movable_);
    for (std::size_t number = 0; number < movable_; ++number) {
      for (const auto site : sites_)
        place_[number].push_back(program_.add_column(1, cost_of_place(number, site), true));
      program_.add_row(place_[number],
                       {ones.begin(), ones.begin() + static_cast<std::ptrdiff_t>(sites_.size())}, 'E',
                       found_.classes[number].size());
    }
    for (std::size_t site = 0; site < sites_.size(); ++site) {
      std::vector<int> columns;
      for (const auto& places : place_) columns.push_back(places[site]);
      program_.add_row(columns, {ones.begin(), ones.begin() + static_cast<std::ptrdiff_t>(movable_)}, 'L', 1);
    }
  }

  void add_flow(std::size_t one, std::size_t other, std::int64_t parts) {
    const auto count = sites_.size();
    std::vector<std::vector<int>> pair(count, std::vector<int>(count, -1));
    for (std::size_t n = 0; n < count; ++n) {
      for (std::size_t m = 0; m < count; ++m) {
        if (n != m)
          pair[n][m] =
              program_.add_column(1, static_cast<double>(parts * cost_.between(sites_[n], sites_[m])), false);
      }
    }
    for (std::size_t n = 0; n < count; ++n) {
      std::vector<int> leaving, arriving;
      for (std::size_t m = 0; m < count; ++m) {
        if (n != m) leaving.push_back(pair[n][m]), arriving.push_back(pair[m][n]);
      }
      tie(leaving, place_[one][n], found_.classes[other].size());
      tie(arriving, place_[other][n], found_.classes[one].size());
    }
  }
  /// The sum of these is `factor` times that place.
  void tie(std::vector<int> columns, int place, double factor) {
    std::vector<double> factors(columns.size(), 1);
    columns.push_back(place);
    factors.push_back(-factor);
    program_.add_row(columns, factors, 'E', 0);
  }

  void take_solution(const double* columns, Placement& placement) const {
    for (std::size_t number = 0; number < movable_; ++number) {
      auto role = found_.classes[number].roles.begin();
      for (std::size_t site = 0; site < sites_.size(); ++site) {
        if (columns[place_[number][site]] > 0.5 && role != found_.classes[number].roles.end())
          placement[*role++] = sites_[site];
      }
      if (role != found_.classes[number].roles.end()) throw engine::ContractError{"Cbc placed too few roles"};
    }
  }

  const MappingCost& cost_;
  std::span<const wafer::CoreId> sites_;
  const Placement& start_;
  ClassGraph found_;
  std::size_t movable_;  // classes that are not of fixed roles
  Program program_;
  std::vector<std::vector<int>> place_;  // columns by class and site
};

}  // namespace

ExactPlacement place_exactly(const FlowGraph& graph, const MappingCost& cost,
                             std::span<const wafer::CoreId> sites, const Placement& start, double seconds) {
  return PlacementProgram{graph, cost, sites, start}.solve(graph, seconds);
}

}  // namespace ouro::llm
