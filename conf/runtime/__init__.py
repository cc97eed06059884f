"""The ground floor: home, errors, file locks, atomic writes, child processes."""
