"""Planning in imagination: planners, costs, objectives, and the agent that uses them."""
