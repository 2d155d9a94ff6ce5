#pragma once

namespace ouro::engine {

/// Locks an open file against other processes that do the same, until this process closes it or ends.
///
/// One byte far behind the data: it does not meet the locks of HDF5 and of MPI-IO, so that a reader may look
/// at a file that is being written.
///
/// @return  false if another one has the lock; a file system without locks has no other one to find
bool try_lock(int descriptor);

}  // namespace ouro::engine
