"""Where a person sees, hears and touches music: plots, notation, sound, panels, widgets."""
