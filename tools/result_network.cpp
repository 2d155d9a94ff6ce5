#include <map>
#include <numeric>

#include "tools/core_table.hpp"
#include "tools/result_groups.hpp"

namespace ouro::tools {
namespace {

/// The packets that the dies of this rank recorded, die after die.
class PacketTable {
 public:
  PacketTable(ResultWriting& out, const llm::System& system)
      : out_{out}, first_(static_cast<std::size_t>(out.experiment().wafer.geometry.dies()) + 1) {
    for (const auto* die : system.packet_dies()) {
      dies_[die->die()] = die;
      first_[die->die().value() + 1] = die->packet_record().packets().size();
    }
    out.sum_over_ranks(first_);
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
  }

  template <class T, class Get>
  void write(const engine::Column& column, const Get& get) {
    std::vector<T> values;
    std::vector<std::size_t> rows;
    for (const auto& [id, die] : dies_) {
      auto row = first_[id.value()];
      for (const auto& packet : die->packet_record().packets()) {
        rows.push_back(row++);
        values.push_back(static_cast<T>(get(packet)));
      }
    }
    out_.file().write_scattered<T>(column, values, rows, first_.back());
  }

 private:
  ResultWriting& out_;
  std::map<wafer::DieId, const llm::DieProcess*> dies_;
  std::vector<std::uint64_t> first_;  // row of each die, and how many rows there are
};

}  // namespace

void write_links(ResultWriting& out, const llm::System& system) {
  if (!out.follows_packets()) return;
  CoreTable table{out, system};
  const auto use = [&](wafer::CoreId core, std::size_t port) {
    return table.die_of(core).link_use(table.index_in_die(core), static_cast<int>(port));
  };
  out.file().write_strings(
      {"/links/port_names", "1",
       "meaning of the second index; the links leave the router of the core in the first"},
      {"east", "west", "north", "south", "from_core", "to_core"});
  table.write<std::int64_t>({"/links/flits", "flit", "flits over each link, by core and port"},
                            wafer::kLinksPerCore,
                            [&](wafer::CoreId core, std::size_t port) { return use(core, port).flits; });
  table.write<std::int64_t>(
      {"/links/waited_ps", "ps", "sum over packets of their waiting for the link"}, wafer::kLinksPerCore,
      [&](wafer::CoreId core, std::size_t port) { return use(core, port).waited.count(); });
}

void write_packets(ResultWriting& out, const llm::System& system) {
  if (out.experiment().recorded_packets.is_empty()) return;
  using Packet = wafer::SentPacket;
  PacketTable table{out, system};
  table.write<std::int64_t>(
      {"/packets/created_ps", "ps",
       "a packet between cores is in the output buffer of its core; by die, then in the order of sending"},
      [](const Packet& packet) { return engine::picoseconds(packet.created); });
  table.write<std::int32_t>({"/packets/from", "1", "number of the core that sent it"},
                            [](const Packet& packet) { return packet.from; });
  table.write<std::int32_t>(
      {"/packets/to", "1", "number of the core it goes to; a multicast has a row for each end of its tree"},
      [](const Packet& packet) { return packet.to; });
  table.write<std::int32_t>({"/packets/flits", "flit", "its length"},
                            [](const Packet& packet) { return packet.flits; });
}

}  // namespace ouro::tools
