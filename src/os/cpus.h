/* src/os/cpus.h: how many processors this process may really use. */
#pragma once

int os_cpus(void); /* the smaller of affinity mask and cgroup quota (rounded up); at least 1 */
