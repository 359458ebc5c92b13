export function freePorts(count: number): Promise<number[]>;
export function freePortRun(count: number): Promise<number>;
