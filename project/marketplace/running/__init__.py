"""Running the whole system on one machine: the data dir, the servers, the processes, and who looks after them."""
