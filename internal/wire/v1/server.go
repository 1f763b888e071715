package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

// Server serves the instances of some types of connectors to one host.
//
// A panic in a call costs that call and no other: it is recovered, its stack is logged, and the host gets an error with
// CodeUnknownOutcome where the call sends and CodeUnavailable elsewhere. The instance stays open. What Go cannot recover
// (an exhausted stack or memory, a panic in a goroutine of the connector's own, concurrent writes to a map) ends the
// process; the host then finds out which instance was the cause.
type Server struct {
	specs []*sdk.Spec
	log   *slog.Logger

	mu        sync.Mutex
	instances map[string]*served
}

// served is one open instance. calls counts the calls under way; idle is closed when there are none and somebody waits.
type served struct {
	name string
	conn sdk.Connector

	mu     sync.Mutex
	calls  int
	idle   chan struct{}
	closed bool
}

// NewServer serves the types of specs. The names of the types must differ.
func NewServer(log *slog.Logger, specs ...*sdk.Spec) (*Server, error) {
	for i, s := range specs {
		if s == nil || s.Type == "" {
			return nil, fmt.Errorf("type %d of the plugin has no name", i+1)
		}
		if slices.ContainsFunc(specs[:i], func(o *sdk.Spec) bool { return o.Type == s.Type }) {
			return nil, fmt.Errorf("the plugin declares the type %q twice", s.Type)
		}
	}
	if len(specs) == 0 {
		return nil, errors.New("the plugin declares no type")
	}
	return &Server{specs: specs, log: log, instances: map[string]*served{}}, nil
}

// Register adds the services to a gRPC server. All are registered; a call for a role that an instance does not have
// answers CodeUnsupported.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	RegisterPluginServer(r, &pluginServer{s: s})
	RegisterSourceServer(r, &sourceServer{s: s})
	RegisterWebhookServer(r, &webhookServer{s: s})
	RegisterCheckerServer(r, &checkerServer{s: s})
	RegisterResolverServer(r, &resolverServer{s: s})
	RegisterPublisherServer(r, &publisherServer{s: s})
	RegisterEditorServer(r, &editorServer{s: s})
	RegisterDeleterServer(r, &deleterServer{s: s})
	RegisterFinderServer(r, &finderServer{s: s})
}

// Close closes every instance that is still open, all at once, within ctx.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	open := make([]*served, 0, len(s.instances))
	for handle, i := range s.instances {
		open = append(open, i)
		delete(s.instances, handle)
	}
	s.mu.Unlock()
	errs := make([]error, len(open))
	var wg sync.WaitGroup
	for n, i := range open {
		wg.Go(func() { errs[n] = s.recovered(Op{Name: "close"}, i.name, func() error { return i.close(ctx) }) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// pluginServer is the life of instances.
type pluginServer struct {
	UnimplementedPluginServer
	s *Server
}

func (p *pluginServer) Describe(context.Context, *DescribeRequest) (*DescribeResponse, error) {
	out := &DescribeResponse{}
	err := p.s.guard(Op{Name: "describe"}, "", func() error {
		for _, spec := range p.s.specs {
			out.Types = append(out.Types, toType(spec))
		}
		return nil
	})
	return out, err
}

func (p *pluginServer) Check(_ context.Context, r *CheckRequest) (*CheckResponse, error) {
	out := &CheckResponse{}
	err := p.s.guard(Op{Name: "check"}, "", func() error {
		spec, tree, err := p.s.configured("check", r.GetType(), r.GetConfig())
		if err != nil {
			return err
		}
		err = spec.Check(tree)
		if ps, ok := problems(err); ok {
			out.Problems = each(ps, toProblem)
			return nil
		}
		return err
	})
	return out, err
}

func (p *pluginServer) Open(ctx context.Context, r *OpenRequest) (*OpenResponse, error) {
	out := &OpenResponse{}
	err := p.s.guard(Op{Name: "open"}, r.GetInstance(), func() error {
		spec, tree, err := p.s.configured("open", r.GetType(), r.GetConfig())
		if err != nil {
			return err
		}
		conn, err := spec.Open(ctx, sdk.Settings{Instance: r.GetInstance(), UserAgent: r.GetUserAgent(),
			Log: p.s.log.With("instance", r.GetInstance())}, tree)
		if ps, ok := problems(err); ok {
			out.Problems = each(ps, toProblem)
			return nil
		}
		if err != nil {
			return err
		}
		if !p.s.add(r.GetHandle(), &served{name: r.GetInstance(), conn: conn}) {
			return errors.Join(sdk.Errorf(sdk.CodeInvalid, "open", "the handle %q is taken or empty", r.GetHandle()), conn.Close(ctx))
		}
		out.Roles = words(rolesOf(conn))
		return nil
	})
	return out, err
}

func (p *pluginServer) Settle(ctx context.Context, r *SettleRequest) (*SettleResponse, error) {
	if i := p.s.instance(r.GetHandle()); i != nil {
		return &SettleResponse{}, i.settle(ctx)
	}
	return &SettleResponse{}, nil
}

func (p *pluginServer) Close(ctx context.Context, r *CloseRequest) (*CloseResponse, error) {
	p.s.mu.Lock()
	i := p.s.instances[r.GetHandle()]
	delete(p.s.instances, r.GetHandle())
	p.s.mu.Unlock()
	if i == nil {
		return &CloseResponse{}, nil
	}
	return &CloseResponse{}, p.s.guard(Op{Name: "close"}, i.name, func() error { return i.close(ctx) })
}

// configured finds a type and reads the configuration for it.
func (s *Server) configured(op, typ string, c *Config) (*sdk.Spec, map[string]any, error) {
	for _, spec := range s.specs {
		if spec.Type == typ {
			tree, err := fromConfig(c)
			return spec, tree, err
		}
	}
	return nil, nil, sdk.Errorf(sdk.CodeUnsupported, op, "this plugin has no type %q", typ)
}

func (s *Server) instance(handle string) *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instances[handle]
}

func (s *Server) add(handle string, i *served) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if handle == "" || s.instances[handle] != nil {
		return false
	}
	s.instances[handle] = i
	return true
}

// rolesOf tells the roles that cross and that the connector has.
func rolesOf(c sdk.Connector) []sdk.Role {
	var out []sdk.Role
	add := func(role sdk.Role, ok bool) {
		if ok {
			out = append(out, role)
		}
	}
	add(sdk.RoleSource, able[sdk.Source](c))
	add(sdk.RoleWebhook, able[sdk.WebhookReceiver](c))
	add(sdk.RoleChecker, able[sdk.Checker](c))
	add(sdk.RoleResolver, able[sdk.Resolver](c))
	add(sdk.RolePublisher, able[sdk.Publisher](c))
	add(sdk.RoleEditor, able[sdk.Editor](c))
	add(sdk.RoleDeleter, able[sdk.Deleter](c))
	add(sdk.RoleFinder, able[sdk.Finder](c))
	return out
}

func able[T any](c sdk.Connector) bool { _, ok := sdk.As[T](c); return ok }

// close lets the last call return, and then closes.
func (i *served) close(ctx context.Context) error {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	if err := i.settle(ctx); err != nil {
		return sdk.Errorf(sdk.CodeUnavailable, "close", "a call does not end: %w", err)
	}
	return i.conn.Close(ctx)
}

func (i *served) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.calls++
	return true
}

func (i *served) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.calls--; i.calls == 0 && i.idle != nil {
		close(i.idle)
		i.idle = nil
	}
}

// settle waits until no call is under way.
func (i *served) settle(ctx context.Context) error {
	i.mu.Lock()
	if i.calls == 0 {
		i.mu.Unlock()
		return nil
	}
	if i.idle == nil {
		i.idle = make(chan struct{})
	}
	idle := i.idle
	i.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guard runs one call, recovers a panic in it, logs the cause that does not cross, and gives the status that does.
func (s *Server) guard(op Op, instance string, f func() error) error {
	return toStatus(s.recovered(op, instance, f), op)
}

func (s *Server) recovered(op Op, instance string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a call panicked", "op", op.Name, "instance", instance, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = op.Errorf("the connector failed in a way it did not expect (a panic); its log has the details")
		}
	}()
	start := time.Now()
	err = f()
	if e := sdk.AsError(err); e != nil && e.Err != nil {
		s.log.Debug("a call failed", "op", op.Name, "instance", instance, "code", e.Code, "cause", e.Err, "took", time.Since(start))
	}
	return err
}

// use runs one call of a role of an instance.
func use[T any](s *Server, handle string, op Op, f func(ability T) error) error {
	i := s.instance(handle)
	if i == nil || !i.enter() {
		return toStatus(sdk.Errorf(sdk.CodeUnavailable, op.Name, "the instance is not open"), op)
	}
	defer i.leave()
	return s.guard(op, i.name, func() error {
		ability, ok := sdk.As[T](i.conn)
		if !ok {
			return sdk.Errorf(sdk.CodeUnsupported, op.Name, "this connector cannot do that")
		}
		return f(ability)
	})
}
