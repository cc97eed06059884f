"""The commands of `dense`, a module a theme; each imports what it needs when it is called."""
