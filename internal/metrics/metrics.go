// Package metrics measures Belfry for Prometheus. Its one promise: what is measured is worth looking at and bounded: names
// and labels come from the configuration and from fixed lists, never from a title, an address or a text, and a scrape
// costs the store a few queries every few seconds at most.
//
// What the store knows is read when somebody asks (see collector); what only happens once is told to a Metrics by those
// to whom it happens: the lanes, the poller, the plugins' host and the pages.
package metrics

import (
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

//go:generate go test . -run TestFamilies|TestPage -update

// Settings wire a Metrics.
type Settings struct {
	Store Store
	// Config gives the configuration in force.
	Config func() *configs.Loaded
	// Program gives the program in force, with the times of blackouts that come from calendars.
	Program func() *compose.Program
	Log     *slog.Logger
	// Plugins tells the state of every kind of plugin that was used; nil when there are none.
	Plugins func() []Plugin
	// Version is Belfry's.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Metrics are the instruments and what is read from the store. Its methods may be called by anybody at any time.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger

	lag      *prometheus.HistogramVec
	calls    *prometheus.HistogramVec
	fetches  *prometheus.HistogramVec
	requests *prometheus.HistogramVec
	restarts *prometheus.CounterVec
	refused  *prometheus.CounterVec
	answers  *prometheus.HistogramVec
	mapped   *prometheus.CounterVec
}

// New makes a Metrics with a registry of its own.
func New(s Settings) *Metrics {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	m := &Metrics{registry: prometheus.NewRegistry(), log: s.Log,
		// From a tenth of what a source's poll takes to the longest that posts wait for pace, hours and outages.
		lag: histogram(deliveryLag, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 6*3600, 24*3600),
		// A call may take the whole send_timeout.
		calls:    histogram(callDuration, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30),
		fetches:  histogram(fetchDuration, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 90),
		requests: histogram(requestDuration, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5),
		restarts: counter(pluginRestarts),
		refused:  counter(pluginRefused),
		answers:  histogram(webhookDuration, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5),
		mapped:   counter(webhooksMapped),
	}
	liveHeap := regexp.MustCompile(`^/gc/heap/live:bytes$`) // what is growing for good; the others go up and down between collections
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: buildInfo, Help: family(buildInfo).help}, family(buildInfo).labels)
	build.WithLabelValues(s.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(m.lag, m.calls, m.fetches, m.requests, m.restarts, m.refused, m.answers, m.mapped, build, newCollector(s), newPluginCollector(s.Plugins),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func histogram(name string, buckets ...float64) *prometheus.HistogramVec {
	f := family(name)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: f.help, Buckets: buckets}, f.labels)
}

func counter(name string) *prometheus.CounterVec {
	f := family(name)
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: f.help}, f.labels)
}

// Handler answers scrapes, in the text format or in OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, EnableOpenMetrics: true})
}

// Accepted tells that a destination accepted a post: lag is the time since the fetch that brought the item, since the
// occurrence of a digest, or since an editor's post was due.
func (m *Metrics) Accepted(destination string, lag time.Duration) {
	m.lag.WithLabelValues(destination).Observe(max(0, lag.Seconds()))
}

// Called tells of one call to a destination's platform; an empty code is success.
func (m *Metrics) Called(destination string, code sdk.Code, took time.Duration) {
	m.calls.WithLabelValues(destination, outcome(code)).Observe(took.Seconds())
}

// Fetched tells of one fetch of a source of a type; an empty code is success.
func (m *Metrics) Fetched(sourceType string, code sdk.Code, took time.Duration) {
	m.fetches.WithLabelValues(sourceType, outcome(code)).Observe(took.Seconds())
}

// PluginCrashed tells that a process of a kind of plugin ended and nobody wanted it to.
func (m *Metrics) PluginCrashed(kind string) { m.restarts.WithLabelValues(kind).Inc() }

// EventRefused tells that a kind of plugin told of something that people did, and that it was left out.
func (m *Metrics) EventRefused(kind, why string) { m.refused.WithLabelValues(kind, why).Inc() }

// Answered tells of one answer to a call of a source.
func (m *Metrics) Answered(source, outcome string, took time.Duration) {
	m.answers.WithLabelValues(source, outcome).Observe(took.Seconds())
}

// Mapped tells of calls of a source that were mapped (mapped), set aside (failed), or are tried again (again).
func (m *Metrics) Mapped(source, outcome string, calls int) {
	m.mapped.WithLabelValues(source, outcome).Add(float64(calls))
}

// Served tells of one answer of the pages: the class of the page and the status.
func (m *Metrics) Served(class string, status int, took time.Duration) {
	if status < 100 || status > 599 {
		status = http.StatusInternalServerError
	}
	m.requests.WithLabelValues(class, strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
}

// outcome is the label for a code: ok, the code, or other for one that this version does not know.
func outcome(code sdk.Code) string {
	switch code {
	case "":
		return "ok"
	case sdk.CodeRateLimited, sdk.CodeUnavailable, sdk.CodeUnknownOutcome, sdk.CodeInvalid, sdk.CodeTooLarge, sdk.CodeUnsupported, sdk.CodeUnauthenticated,
		sdk.CodeForbidden, sdk.CodeGone, sdk.CodeNoConsent, sdk.CodeWindowClosed, sdk.CodeNotAChannel:
		return string(code)
	}
	return "other"
}
