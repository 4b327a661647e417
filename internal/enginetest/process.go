package enginetest

import "os/exec"

// process is the first process of a private server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

func (p *process) begin(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	return nil
}

// Running reports whether the server's first process is alive.
func (p *process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}
