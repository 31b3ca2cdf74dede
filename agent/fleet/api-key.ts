/** The API key that a host needs: to make its data streams by writing to them, and to add documents; it can read and change none. */
const role = {
  cluster: [],
  indices: [{ names: ["logs-kinwatch.*-*"], privileges: ["auto_configure", "create_doc"] }],
} as const;

export interface ApiKeyRequest {
  readonly name: string;
  readonly role_descriptors: { readonly kinwatch: typeof role };
  readonly metadata: { readonly managed_by: "kinwatch"; readonly host: string };
}

/** The body of POST /_security/api_key. */
export function apiKeyRequest(host: string): ApiKeyRequest {
  return {
    name: `kinwatch-${host}`,
    role_descriptors: { kinwatch: role },
    metadata: { managed_by: "kinwatch", host },
  };
}
