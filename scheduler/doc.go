// Package scheduler says when a schedule is due, and its promise is one stated answer for every case: time zones, skipped
// and repeated hours, downtime, clocks that jump, blackouts, several nodes. It keeps no state and starts nothing: each
// answer is a pure function of a Spec and of the rows that its caller keeps.
//
// # Which instants a schedule means
//
// The expression is parsed by github.com/robfig/cron/v3; which instants it means is decided here.
//
//   - A schedule whose hour field leaves at least one hour out is FixedHour. It plans local wall times, and each planned
//     wall time fires once, at the first instant at which the clock of the zone reads that time or a later one. So a
//     time that the clock skips fires at the first instant after the gap, and a time that comes twice fires the first
//     time. Several times skipped by one gap are one occurrence, with the key of the first. A midnight that is skipped
//     (Cairo, Beirut) fires at the first instant of its local day.
//   - A local day that a zone left out as a whole (30 December 2011 in Apia, 21 August 1993 in Kwajalein) plans nothing,
//     as 30 February plans nothing: the calendar of that place has no such day.
//   - A schedule whose hour field covers all 24 hours is RealTime: it fires at every instant whose wall clock, seconds
//     included, matches, so a repeated hour fires again and a skipped hour does not exist.
//   - "@every" is an Interval: its instants are the multiples of the interval since 1970-01-01T00:00:00Z, so restarts
//     and several nodes agree. An interval that does not divide a day therefore wanders over the day.
//   - With both day of month and day of week restricted, a day on which either matches is planned, as cron has it. A field
//     written *, ? or */1 is unrestricted; */2 restricts.
//
// Nothing is taken from time.Date in a zone, whose answer for skipped and repeated times depends on the zone.
//
// # Identity
//
// An occurrence has a Key that is unique within its schedule: the planned wall time for FixedHour, the instant in UTC
// for the others. A caller that keeps (schedule, key) unique fires nothing twice: not after a restart, not on two nodes,
// not after the clock went back, and not when the zone of a schedule changes in the middle of a day.
//
// # Zone data
//
// The zone database is embedded in the binary. Where the system has one of its own, time.LoadLocation prefers that.
package scheduler

import _ "time/tzdata" // the zone database of last resort, for images and machines without one
