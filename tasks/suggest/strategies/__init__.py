"""Search strategies behind one contract."""
