package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
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

// served is one instance, from the moment it is being opened.
type served struct {
	name string
	// common is the text that the newest message to a person shares with others.
	common atomic.Pointer[sdk.Common]
	// listening is what is kept from one call of Listen to the next.
	listening listening

	mu     sync.Mutex
	conn   sdk.Connector // nil until it is open
	calls  map[*underWay]struct{}
	closed bool
}

// underWay is a call that has not ended.
type underWay struct {
	id   uint64
	done chan struct{}
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
	RegisterMessengerServer(r, &messengerServer{s: s})
	RegisterListenerServer(r, &listenerServer{s: s})
	RegisterReceiverServer(r, &receiverServer{s: s})
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
		i := &served{name: r.GetInstance(), calls: map[*underWay]struct{}{}}
		if !p.s.add(r.GetHandle(), i) {
			return sdk.Errorf(sdk.CodeInvalid, "open", "the handle %q is taken or empty", r.GetHandle())
		}
		defer i.leave(i.enter(r.GetCall()))
		opened := false
		defer func() {
			if !opened {
				p.s.drop(r.GetHandle())
			}
		}()
		if err := begun(ctx, Op{Name: "open"}); err != nil {
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
		opened = true
		i.set(conn)
		out.Roles = words(rolesOf(conn))
		return nil
	})
	return out, err
}

func (p *pluginServer) Settle(ctx context.Context, r *SettleRequest) (*SettleResponse, error) {
	if i := p.s.instance(r.GetHandle()); i != nil {
		return &SettleResponse{}, i.settle(ctx, func(c *underWay) bool { return c.id == r.GetCall() })
	}
	return &SettleResponse{}, nil
}

func (p *pluginServer) Close(ctx context.Context, r *CloseRequest) (*CloseResponse, error) {
	i := p.s.drop(r.GetHandle())
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

// drop forgets an instance and gives it to be closed, if there was one.
func (s *Server) drop(handle string) *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.instances[handle]
	delete(s.instances, handle)
	return i
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
	add(sdk.RoleMessenger, able[sdk.Messenger](c))
	add(sdk.RoleListener, able[sdk.Listener](c))
	add(sdk.RoleReceiver, able[sdk.Receiver](c))
	return out
}

func able[T any](c sdk.Connector) bool { _, ok := sdk.As[T](c); return ok }

// close lets the last call return, and then closes.
func (i *served) close(ctx context.Context) error {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	if err := i.settle(ctx, func(*underWay) bool { return true }); err != nil {
		return sdk.Errorf(sdk.CodeUnavailable, "close", "a call does not end: %w", err)
	}
	if err := i.listening.close(ctx); err != nil {
		return err
	}
	if conn := i.connector(); conn != nil {
		return conn.Close(ctx)
	}
	return nil
}

func (i *served) connector() sdk.Connector {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.conn
}

func (i *served) set(conn sdk.Connector) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conn = conn
}

// enter begins a call; nil when the instance is being closed.
func (i *served) enter(id uint64) *underWay {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	c := &underWay{id: id, done: make(chan struct{})}
	i.calls[c] = struct{}{}
	return c
}

func (i *served) leave(c *underWay) {
	if c == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.calls, c)
	close(c.done)
}

// settle waits until those calls have ended that are under way now and match.
func (i *served) settle(ctx context.Context, match func(*underWay) bool) error {
	i.mu.Lock()
	var wait []*underWay
	for c := range i.calls {
		if match(c) {
			wait = append(wait, c)
		}
	}
	i.mu.Unlock()
	for _, c := range wait {
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
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

// request is what every request of a role has.
type request interface {
	GetHandle() string
	GetCall() uint64
}

// use runs one call of a role of an instance, and gives the status that crosses.
func use[T any](ctx context.Context, s *Server, req request, op Op, f func(ability T) error) error {
	return toStatus(used(ctx, s, req, op, f), op)
}

// used runs one call of a role of an instance, and gives its error as the connector made it.
func used[T any](ctx context.Context, s *Server, req request, op Op, f func(ability T) error) error {
	i := s.instance(req.GetHandle())
	if i == nil {
		return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the instance is not open")
	}
	c := i.enter(req.GetCall())
	defer i.leave(c)
	conn := i.connector()
	if c == nil || conn == nil {
		return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the instance is not open")
	}
	if err := begun(ctx, op); err != nil {
		return err
	}
	return s.recovered(op, i.name, func() error {
		ability, ok := sdk.As[T](conn)
		if !ok {
			return sdk.Errorf(sdk.CodeUnsupported, op.Name, "this connector cannot do that")
		}
		return f(ability)
	})
}

// begun refuses a call that was given up before it began. It is asked after enter: a call that Settle did not see has been
// given up by then, and so never reaches the connector.
func begun(ctx context.Context, op Op) error {
	if ctx.Err() == nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, op.Name, "the call was given up before it began")
}
