/** The large cluster of the benchmark. */
export const SERVICES = 10_000
export const ENDPOINTS = 3
