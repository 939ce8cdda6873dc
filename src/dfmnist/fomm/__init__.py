"""First Order Motion Model (Siarohin et al., 2019): animate a still face with another's motion."""
