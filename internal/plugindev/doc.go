// Package plugindev lets the author of a plugin watch it at work. Its one promise: what is seen is a whole daemon with the
// real plugin in a process of its own, and nothing of it stays.
//
// The project is built, a daemon with a store of its own is started in a temporary folder, and a page shows the plugin's items,
// posts, calls and log as they happen. When a file of the project changes it is built again, and the daemon is started anew
// on the same store, with the new program; what does not build, or does not start, leaves the old one running. A connector is
// given sample posts: an article that is corrected, a long text, pictures, and an article that is withdrawn.
package plugindev
