// Placeholder until the trace is served.
export function showTrace() {}
