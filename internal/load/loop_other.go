//go:build !linux

package load

// loop is not there.
type loop struct{}

func (*loop) open(*Swarm) error { return ErrNeedsLinux }
func (*loop) run() error        { return ErrNeedsLinux }
func (*loop) stop()             {}
func (*loop) close(int) int     { return 0 }
