//go:build !linux

package audit

// KernelClock is an Options.Clock that asks the operating system. On Linux it reads what NTP
// or PTP told the kernel, with the maximum error as the error; where that cannot be read, and
// on other systems, the state is unknown.
func KernelClock() Clock { return Clock{} }
