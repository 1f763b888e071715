package wire

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

// OpenInstance opens an instance and gives the roles it advertises. Its error is sdk.Problems when the configuration is
// wrong, and an *sdk.Error otherwise.
func OpenInstance(ctx context.Context, at At, typ string, s sdk.Settings, config map[string]any) ([]sdk.Role, error) {
	op := Op{Name: "open", Repeats: true}
	c, err := toConfig(config)
	if err != nil {
		return nil, err
	}
	req := &OpenRequest{Handle: at.Handle, Call: at.Call, Type: typ, Instance: text(s.Instance), UserAgent: text(s.UserAgent), Config: c}
	if err := fits(op, req); err != nil {
		return nil, err
	}
	in := newAnswers()
	resp, err := NewPluginClient(at.Conn).Open(ctx, req, grpc.ForceCodecV2(in))
	if err := fromStatus(ctx, in.status(err), op); err != nil {
		return nil, err
	}
	return fromWords[sdk.Role](resp.GetRoles()), fromProblems(resp.GetProblems())
}

// CheckConfig reads a configuration as OpenInstance would, and throws it away. Its error is like that of OpenInstance.
func CheckConfig(ctx context.Context, conn grpc.ClientConnInterface, typ string, config map[string]any) error {
	op := Op{Name: "check", Repeats: true}
	c, err := toConfig(config)
	if err != nil {
		return err
	}
	req := &CheckRequest{Type: typ, Config: c}
	if err := fits(op, req); err != nil {
		return err
	}
	in := newAnswers()
	resp, err := NewPluginClient(conn).Check(ctx, req, grpc.ForceCodecV2(in))
	if err := fromStatus(ctx, in.status(err), op); err != nil {
		return err
	}
	return fromProblems(resp.GetProblems())
}

func fromProblems(list []*Problem) error { return sdk.Problems(eachFrom(list, fromProblem)).Err() }

// CloseInstance closes an instance after its last call.
func CloseInstance(ctx context.Context, at At) error {
	op := Op{Name: "close", Repeats: true}
	in := newAnswers()
	_, err := NewPluginClient(at.Conn).Close(ctx, &CloseRequest{Handle: at.Handle}, grpc.ForceCodecV2(in))
	return fromStatus(ctx, in.status(err), op)
}

// SettleInstance waits until the call at.Call of an instance is no longer under way.
func SettleInstance(ctx context.Context, at At) error {
	op := Op{Name: "settle", Repeats: true}
	if at.Many != nil {
		// The request of a fetch may not have been read yet, so that the process does not know it; its last result tells.
		if err := at.Many.settle(ctx, at.Call); err != nil {
			return fromStatus(ctx, err, op)
		}
	}
	in := newAnswers()
	_, err := NewPluginClient(at.Conn).Settle(ctx, &SettleRequest{Handle: at.Handle, Call: at.Call}, grpc.ForceCodecV2(in))
	return fromStatus(ctx, in.status(err), op)
}

// Describe asks a process for the types it offers.
func Describe(ctx context.Context, conn grpc.ClientConnInterface) ([]Description, error) {
	op := Op{Name: "describe", Repeats: true}
	in := newAnswers()
	resp, err := NewPluginClient(conn).Describe(ctx, &DescribeRequest{}, grpc.ForceCodecV2(in), grpc.MaxCallRecvMsgSize(MaxMessage))
	if err := fromStatus(ctx, in.status(err), op); err != nil {
		return nil, err
	}
	return eachFrom(resp.GetTypes(), fromType), nil
}
