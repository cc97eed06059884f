"""The study: its journal, the state that follows from it, and what to do next."""
