"""Speed, as ratios of two measurements in the same run; never as an absolute time."""
