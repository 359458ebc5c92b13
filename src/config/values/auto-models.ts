/** Stands for the names that the engines themselves list. */
export const autoModels = "auto";
