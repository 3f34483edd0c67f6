// Shows the API reference; everything it needs comes from this gateway.
const root = document.getElementById("reference");
const chinese = document.documentElement.lang === "zh";

if (window.Scalar) {
  window.Scalar.createApiReference(root, {
    url: root.dataset.url,
    localization: { locale: chinese ? "zh-CN" : "en" },
    withDefaultFonts: false,
    telemetry: false,
    proxyUrl: "",
    persistAuth: false,
    authentication: { preferredSecurityScheme: "bearer" },
    hideClientButton: true,
    showDeveloperTools: "never",
    agent: { disabled: true },
    mcp: { disabled: true },
    hideModels: true,
    orderSchemaPropertiesBy: "preserve",
    documentDownloadType: "json",
    defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
    hiddenClients: {
      c: true, clojure: true, dart: true, fsharp: true, http: true, kotlin: true, objc: true,
      ocaml: true, powershell: true, r: true, swift: true,
    },
    metaData: { title: document.title },
  });
} else {
  document.getElementById("plain").hidden = false;
}
