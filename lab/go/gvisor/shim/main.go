// The command containerd-shim-runsc-v1 runs gVisor containers for containerd.
//
// It is gVisor's own shim but for the way it starts: gVisor's Start lowers the
// shim's oom_score_adj and fails where nothing may do that (a machine without
// CAP_SYS_RESOURCE). Containerd's runc shim only ever raises it, which always
// works, and it groups a pod's containers in one shim. Everything else, Stop
// included, is gVisor's.
package main

import (
	"context"
	"fmt"
	"os"

	runc "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	"github.com/containerd/containerd/v2/pkg/shim"
	runsc "gvisor.dev/gvisor/pkg/shim/v1"
	_ "gvisor.dev/gvisor/pkg/shim/v1/plugin" // registers gVisor's task service
)

const (
	name = "io.containerd.runsc.v1"
	// taskAPI is the version of the task service gVisor's shim serves.
	taskAPI = 2
	// addressFile is read by gVisor's service, which removes the socket named
	// in it when the shim ends.
	addressFile = "address"
)

// manager is gVisor's manager with another Start.
type manager struct {
	shim.Manager
	starter shim.Manager
}

// Start starts the pod's shim, or finds the one that runs.
func (m manager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	params, err := m.starter.Start(ctx, id, opts)
	if err != nil {
		return params, err
	}
	params.Version = taskAPI
	if err := os.WriteFile(addressFile, []byte(params.Address), 0o644); err != nil {
		return params, fmt.Errorf("keep the shim's address: %w", err)
	}
	return params, nil
}

func main() {
	shim.Run(context.Background(), manager{
		Manager: runsc.NewShimManager(name),
		starter: runc.NewShimManager(name),
	})
}
