#include "engine/file_lock.hpp"

#include <fcntl.h>

#include <cerrno>

namespace ouro::engine {

bool try_lock(int descriptor) {
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  request.l_start = off_t{1} << 62;
  request.l_len = 1;
  if (::fcntl(descriptor, F_OFD_SETLK, &request) == 0) return true;
  return errno != EAGAIN && errno != EACCES;
}

}  // namespace ouro::engine
