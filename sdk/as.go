package sdk

// As finds the ability T of a connector: an interface of this package, such as Editor. It is the only way to ask. A
// decorator or a client of another process tells its abilities through an As method; any other connector has the
// abilities its type has.
func As[T any](c Connector) (T, bool) {
	var ability T
	if a, ok := c.(interface{ As(target any) bool }); ok {
		return ability, a.As(&ability)
	}
	ability, ok := c.(T)
	return ability, ok
}
