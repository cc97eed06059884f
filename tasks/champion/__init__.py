"""The winner: trained, scored, registered."""
