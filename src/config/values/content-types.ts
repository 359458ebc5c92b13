/** The name of the built-in list of content types that is nginx's. */
export const nginxContentTypes = "nginx";
