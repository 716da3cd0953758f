/* A clock that can be set: LD_PRELOAD this, and write seconds into the file CLOCK_SHIM names.

   Only the time of day jumps (CLOCK_REALTIME); the clock that measures goes on, as on a real board
   whose time is set by the network. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *jump_of(void) {
  static const volatile long long *jump;
  static const long long none;
  if (!jump) {
    const char *name = getenv("CLOCK_SHIM");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    jump = map == MAP_FAILED ? &none : map;
  }
  return jump;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, now);
  if (!result && clock == CLOCK_REALTIME) now->tv_sec += *jump_of();
  return result;
}
