package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Plugin is the state of one kind of plugin, as its host tells it.
type Plugin struct {
	Kind string
	// Starts counts its processes since the daemon started, Running those there are.
	Starts, Running int
	// Resident is the memory in RAM of those that run, in bytes.
	Resident int64
	// CPU is the processor time of all of them, since the daemon started.
	CPU time.Duration
	// Held are the sources and destinations that are not called any more.
	Held int
	// Calls are under way, Waiting wait for their turn.
	Calls, Waiting int
}

// pluginCollector asks the plugins' host when Prometheus asks.
type pluginCollector struct {
	plugins func() []Plugin
	descs   map[string]*prometheus.Desc
}

func newPluginCollector(plugins func() []Plugin) *pluginCollector {
	if plugins == nil {
		plugins = func() []Plugin { return nil }
	}
	c := &pluginCollector{plugins: plugins, descs: map[string]*prometheus.Desc{}}
	for _, name := range []string{pluginProcesses, pluginMemory, pluginCPU, pluginStarts, pluginHeld, pluginCalls} {
		c.descs[name] = prometheus.NewDesc(name, family(name).help, family(name).labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *pluginCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *pluginCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.plugins() {
		tell := func(name string, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.descs[name], kind, v, append([]string{p.Kind}, labels...)...)
		}
		tell(pluginStarts, prometheus.CounterValue, float64(p.Starts))
		tell(pluginProcesses, prometheus.GaugeValue, float64(p.Running))
		tell(pluginMemory, prometheus.GaugeValue, float64(p.Resident))
		tell(pluginCPU, prometheus.CounterValue, p.CPU.Seconds())
		tell(pluginHeld, prometheus.GaugeValue, float64(p.Held))
		tell(pluginCalls, prometheus.GaugeValue, float64(p.Calls), "running")
		tell(pluginCalls, prometheus.GaugeValue, float64(p.Waiting), "waiting")
	}
}
