/** Id of development chains: they begin anew, and their ether is worth nothing. */
export const DEVELOPMENT = 31_337;
