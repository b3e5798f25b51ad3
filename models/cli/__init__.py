"""Commands of data scientists: train, grow, evaluate, study, export."""
