// For LD_PRELOAD: makes one call of a function fail, as a full disk or a want of memory would.
//
//     RELUFIT_FAULT_IN    write, fsync, rename or memory
//     RELUFIT_FAULT_AT    which call, from 1; "3+": that and all later ones
//     RELUFIT_FAULT_LOG   file for the number of calls, written when the program returns
//
// Calls count from the beginning of main on: what the loader and the construction of static objects ask for is not the
// program's to answer for. Programs that it starts are left alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

struct Fault {
  const char* function;
  int error;
  bool chosen = false;
};

Fault faults[] = {{"write", ENOSPC}, {"fsync", EIO}, {"rename", EACCES}, {"memory", ENOMEM}};
long first = 0;
bool and_later = false;
std::atomic<long> calls{0};
std::atomic<bool> active{false};
int (*real_main)(int, char**, char**) = nullptr;

bool fails(const Fault& fault) {
  if (!active || !fault.chosen) return false;
  const long call = ++calls;
  if (call != first && !(and_later && call > first)) return false;
  errno = fault.error;
  return true;
}

bool no_memory() { return fails(faults[3]); }

void read_environment() {
  unsetenv("LD_PRELOAD");
  const char* function = std::getenv("RELUFIT_FAULT_IN");
  const char* at = std::getenv("RELUFIT_FAULT_AT");
  if (function == nullptr || at == nullptr) return;
  for (Fault& fault : faults) fault.chosen = std::strcmp(function, fault.function) == 0;
  char* end = nullptr;
  first = std::strtol(at, &end, 10);
  and_later = *end == '+';
}

void write_log() {
  active = false;
  const char* path = std::getenv("RELUFIT_FAULT_LOG");
  if (path == nullptr) return;
  const int descriptor = ::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%ld\n", calls.load());
  syscall(SYS_write, descriptor, text, length);
  ::close(descriptor);
}

int counted_main(int argc, char** argv, char** environment) {
  read_environment();
  active = true;
  const int code = real_main(argc, argv, environment);
  write_log();
  return code;
}

}  // namespace

extern "C" {

int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*rtld_fini)(), void* stack_end) {
  real_main = main;
  const auto start = reinterpret_cast<decltype(&__libc_start_main)>(dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

ssize_t write(int descriptor, const void* data, std::size_t size) {
  if (fails(faults[0])) return -1;
  return syscall(SYS_write, descriptor, data, size);
}

int fsync(int descriptor) {
  if (fails(faults[1])) return -1;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

int rename(const char* from, const char* to) {
  if (fails(faults[2])) return -1;
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

void* malloc(std::size_t size) { return no_memory() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) { return no_memory() ? nullptr : __libc_calloc(count, size); }
void* realloc(void* memory, std::size_t size) { return no_memory() ? nullptr : __libc_realloc(memory, size); }
void* memalign(std::size_t alignment, std::size_t size) {
  return no_memory() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  void* const found = memalign(alignment, size);
  if (found == nullptr) return ENOMEM;
  *memory = found;
  return 0;
}

}  // extern "C"
