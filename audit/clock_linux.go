package audit

import "syscall"

// The kernel's words of adjtimex(2) for a clock that nobody keeps right.
const (
	timeError = 5    // TIME_ERROR
	unsynced  = 0x40 // STA_UNSYNC
)

// KernelClock is an Options.Clock that asks the operating system. On Linux it reads what NTP
// or PTP told the kernel, with the maximum error as the error; where that cannot be read, and
// on other systems, the state is unknown.
func KernelClock() Clock {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return Clock{}
	}
	c := Clock{Known: true, Synced: state != timeError && t.Status&unsynced == 0}
	c.ErrMicros = min(max(0, int64(t.Maxerror)), maxInt)
	return c
}
