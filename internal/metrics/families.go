package metrics

import "slices"

// The names of what Belfry measures. They are append-only: dashboards and rules hold on to them.
const (
	buildInfo       = "belfry_build_info"
	collectSuccess  = "belfry_collect_success"
	collectDuration = "belfry_collect_duration_seconds"

	sourceLastSuccess = "belfry_source_last_success_timestamp_seconds"
	sourceFailures    = "belfry_source_failures"
	sourceGone        = "belfry_source_gone"
	sourceHeld        = "belfry_source_held"

	channelPosts      = "belfry_channel_posts"
	channelWaiting    = "belfry_channel_waiting"
	channelHeld       = "belfry_channel_held"
	channelLastPost   = "belfry_channel_last_post_timestamp_seconds"
	channelNextDigest = "belfry_channel_next_digest_timestamp_seconds"

	destinationWaiting     = "belfry_destination_waiting"
	destinationOldest      = "belfry_destination_oldest_waiting_seconds"
	destinationUnknown     = "belfry_destination_unknown"
	destinationHeld        = "belfry_destination_held"
	destinationNeeds       = "belfry_destination_needs_a_person"
	destinationDead        = "belfry_destination_dead"
	destinationStopped     = "belfry_destination_stopped"
	destinationLastSuccess = "belfry_destination_last_success_timestamp_seconds"

	alertsOpen    = "belfry_alerts_open"
	alertsUntold  = "belfry_alerts_untold"
	alertsRefused = "belfry_alerts_refused"
	paused        = "belfry_paused"

	deliveryLag     = "belfry_delivery_lag_seconds"
	callDuration    = "belfry_destination_call_duration_seconds"
	fetchDuration   = "belfry_source_fetch_duration_seconds"
	pluginRestarts  = "belfry_plugin_crashes_total"
	requestDuration = "belfry_http_request_duration_seconds"
	webhookDuration = "belfry_webhook_answer_duration_seconds"
	webhooksMapped  = "belfry_webhooks_mapped_total"
	webhooksWaiting = "belfry_webhooks_waiting"
	webhooksFailed  = "belfry_webhooks_failed"
	hubActive       = "belfry_source_hub_active"

	pluginProcesses = "belfry_plugin_processes"
	pluginMemory    = "belfry_plugin_resident_memory_bytes"
	pluginCPU       = "belfry_plugin_cpu_seconds_total"
	pluginStarts    = "belfry_plugin_starts_total"
	pluginHeld      = "belfry_plugin_held"
	pluginCalls     = "belfry_plugin_calls"
	pluginRefused   = "belfry_plugin_events_refused_total"
)

// familyOf describes one thing that is measured.
type familyOf struct {
	name, kind, help string
	labels           []string
	// page says more, for the reference page; empty when the help says it all.
	page string
}

// families lists what is measured, in the order of the reference page.
func families() []familyOf {
	return []familyOf{
		{deliveryLag, "histogram", "Time from the fetch that brought an item until a destination accepted its post.", []string{"destination"},
			"For a digest from its due time, for an editor's post from the time it was to leave."},
		{callDuration, "histogram", "Duration of calls to the platform of a destination, by outcome.", []string{"destination", "outcome"},
			"`outcome` is `ok`, an error code such as `rate_limited` or `unknown_outcome`, or `other`. Telling of an alert counts as one call."},
		{fetchDuration, "histogram", "Duration of fetches of sources, by type and outcome.", []string{"type", "outcome"}, ""},
		{pluginRestarts, "counter", "Ends of plugin processes that nobody wanted.", []string{"kind"}, ""},
		{pluginStarts, "counter", "Processes of a kind of plugin that were started.", []string{"kind"}, ""},
		{pluginProcesses, "gauge", "Processes of a kind of plugin that run.", []string{"kind"}, "A second one is there while a suspect is called alone."},
		{pluginMemory, "gauge", "Memory in RAM of the processes of a kind of plugin.", []string{"kind"}, "On Linux; programs that a plugin started are not in it."},
		{pluginCPU, "counter", "Processor time of a kind of plugin since the daemon started.", []string{"kind"}, "With that of programs that it started and waited for."},
		{pluginHeld, "gauge", "Sources and destinations of a kind of plugin that are not called any more, because they failed too often.", []string{"kind"}, "`belfry alert list` names them."},
		{pluginCalls, "gauge", "Calls of a kind of plugin, by state.", []string{"kind", "state"}, "`state` is `running` or `waiting`."},
		{pluginRefused, "counter", "What people did, told by a kind of plugin and left out.", []string{"kind", "why"},
			"`why` is `unreadable`, `kind` (one that it is not believed), `id`, `sender` or `content`. Each costs itself alone; the plugin's author has to mend it."},
		{requestDuration, "histogram", "Duration of answers of the public pages, by class of page and class of status.", []string{"class", "status"},
			"`class` is `front`, `channel`, `feed`, `post`, `media`, `static`, `people` or `other`; `status` is `2xx`, `3xx`, `4xx` or `5xx`."},
		{webhookDuration, "histogram", "Duration of answers to the calls of a source, from their first byte on, by what became of them.", []string{"source", "outcome"},
			"`outcome` is `accepted`, `duplicate`, `ignored` (what carries no signature of the feed's hub), `asked` (questions and pings that bring nothing), or the status with which the call was refused; what they mean: [webhooks.md](webhooks.md#what-a-sender-is-told)."},
		{webhooksMapped, "counter", "Calls of a source of which items were made, or could not be.", []string{"source", "outcome"}, "`outcome` is `mapped`, `failed` or `again`, for one that is tried again."},

		{sourceLastSuccess, "gauge", "When a source last answered well, in Unix time; 0 when it never did.", []string{"source"}, "Its age is `time() - …`."},
		{sourceFailures, "gauge", "Fetches of a source that failed in a row.", []string{"source"}, ""},
		{sourceGone, "gauge", "Whether the server of a source said that it is gone for good.", []string{"source"}, ""},
		{sourceHeld, "gauge", "Items and withdrawals that the flood brake of a source holds for a person.", []string{"source"}, ""},
		{webhooksWaiting, "gauge", "Calls of a source that are kept and wait to be mapped.", []string{"source"}, "Only of sources that were called."},
		{webhooksFailed, "gauge", "Calls of a source that could not be mapped, and are kept for a person.", []string{"source"}, "The alert `webhook_failed` tells of them."},
		{hubActive, "gauge", "Whether the hub that a feed names tells what is new.", []string{"source"}, "Only of feeds that name a hub."},

		{channelPosts, "gauge", "Posts of a channel that are on show.", []string{"channel"}, ""},
		{channelWaiting, "gauge", "Items that wait to be used by a channel.", []string{"channel"}, ""},
		{channelHeld, "gauge", "Items of a channel that a blackout holds for a person.", []string{"channel"}, ""},
		{channelLastPost, "gauge", "When the newest post of a channel was published, in Unix time; 0 when there is none.", []string{"channel"}, ""},
		{channelNextDigest, "gauge", "When a channel makes its next digest, in Unix time, as far as its schedule and blackouts say.", []string{"channel"}, "Only for channels with `digest:` that nobody has paused."},

		{destinationWaiting, "gauge", "Deliveries to a destination that wait or are under way.", []string{"destination"}, ""},
		{destinationOldest, "gauge", "Age of the oldest delivery to a destination that waits; 0 when none does.", []string{"destination"}, ""},
		{destinationUnknown, "gauge", "Calls to a destination that may have arrived, and of which nobody knows.", []string{"destination"}, ""},
		{destinationHeld, "gauge", "Deliveries to a destination that a blackout holds for a person.", []string{"destination"}, ""},
		{destinationNeeds, "gauge", "Copies at a destination that a person has to correct or delete by hand.", []string{"destination"}, ""},
		{destinationDead, "gauge", "Copies for a destination that ended without success and are not tried again.", []string{"destination", "state"},
			"`state` is `failed`, `expired` or `dropped`."},
		{destinationStopped, "gauge", "Whether a destination, or one of its channels, has stopped for want of a credential or a right.", []string{"destination"}, ""},
		{destinationLastSuccess, "gauge", "When a destination last accepted a call, in Unix time; 0 when it never did.", []string{"destination"}, ""},

		{alertsOpen, "gauge", "Alerts that last, by code.", []string{"code"}, "`belfry alert list` shows them with what mends them."},
		{alertsUntold, "gauge", "Alerts that last and of which nobody was told yet.", nil, "It should fall to 0 within seconds; missing with `alerts: none`."},
		{alertsRefused, "gauge", "Whether a destination of alerts.to did not take the last alert that it was sent.", []string{"destination"}, ""},
		{paused, "gauge", "1 for everything that a person paused.", []string{"scope", "name"}, "`scope` is `all`, `source`, `channel` or `destination`."},

		{buildInfo, "gauge", "1, with the version of Belfry and of Go.", []string{"version", "goversion"}, ""},
		{collectSuccess, "gauge", "Whether the store could be read for the other gauges; they are missing when it is 0.", nil, ""},
		{collectDuration, "gauge", "How long reading the store took when it was last read.", nil, ""},
	}
}

// family finds a family that is listed.
func family(name string) familyOf {
	all := families()
	return all[slices.IndexFunc(all, func(f familyOf) bool { return f.name == name })]
}
