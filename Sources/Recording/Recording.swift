// Recording: ftrace on host and guests, one session folder as the result.
