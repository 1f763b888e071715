package pluginhost

import (
	"context"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// silences is how many health checks in a row a process may leave without an answer.
const silences = 3

// keepAsking asks the process whether it is well for as long as it runs. A process that hangs as a whole is ended although
// nobody calls it: it would cost the next call its whole time.
func (p *process) keepAsking(ctx context.Context) {
	tick := time.NewTicker(p.k.h.limits.Health)
	defer tick.Stop()
	client := grpc_health_v1.NewHealthClient(p.conn)
	for silent := 0; ; {
		select {
		case <-tick.C:
		case <-p.run.done:
			return
		case <-ctx.Done():
			return
		}
		ask, cancel := context.WithTimeout(ctx, p.k.h.limits.HealthWait)
		_, err := client.Check(ask, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
		late := ask.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case late:
			silent++
		case status.Code(err) == codes.Unimplemented:
			return // it cannot be asked
		default:
			silent = 0
		}
		if silent == silences {
			p.kill("it did not answer three health checks in a row")
			return
		}
	}
}
