"""How many notices of WeChat Pay one process takes, beside the least that taking one can cost."""
