"""What comes in: the event contract, validation, keys, dead letters. Pure; no Faust, no I/O."""
