"""Where rows come from, their splits, and the files of rows and token ids."""
