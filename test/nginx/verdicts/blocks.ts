/** Directives of http with a given text in one of their blocks. */

export const location = (text: string) => `server { listen 9998; location / { ${text} } }`;
export const server = (text: string) => `server { listen 9998; ${text} }`;
export const upstream = (text: string) => `upstream a { ${text} }`;
export const engine = (text: string) => upstream(`server 127.0.0.1:1 ${text};`);
