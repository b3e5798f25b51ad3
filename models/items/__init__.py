"""Item vectors and what they are made of: titles, ids, trend."""
