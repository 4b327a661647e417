package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// datasync waits until what was written to f is on the disk.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// processTime is what another process has used, 0 if it is not on this machine.
func processTime(pid int) (d time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(text), &d)
	return d
}
