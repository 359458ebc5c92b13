# An image with the one-file executable and nothing else: no shell, no package manager, no runtime. docs/deploy.md says how it is run.
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build:executable

# Of glibc, and a user without rights.
FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build /src/build/global-proxy /src/build/LICENCES /usr/local/bin/
COPY --from=build /src/examples/pd.yaml /etc/global-proxy/global-proxy.yaml
USER 65532:65532
EXPOSE 8080 9901
# Lets requests end first; the default, SIGTERM, ends the proxy at once.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=20s --timeout=5s --start-period=10s CMD ["/usr/local/bin/global-proxy", "probe", "live", "--admin", "9901"]
ENTRYPOINT ["/usr/local/bin/global-proxy"]
CMD ["-c", "/etc/global-proxy/global-proxy.yaml"]
